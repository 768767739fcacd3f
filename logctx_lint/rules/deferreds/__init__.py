"""Rules about Twisted's Deferreds and the web requests behind them."""
