from nats.js.client import JetStreamContext as JetStreamContext
