from aiokafka.consumer.consumer import AIOKafkaConsumer as AIOKafkaConsumer
from aiokafka.producer.producer import AIOKafkaProducer as AIOKafkaProducer
