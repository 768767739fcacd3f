from aio_pika import abc as abc
from aio_pika.connection import connect as connect
from aio_pika.robust_connection import connect_robust as connect_robust
