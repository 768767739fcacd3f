from asyncpg.connection import Connection as Connection
from asyncpg.connection import connect as connect
from asyncpg.exceptions import InterfaceError as InterfaceError
from asyncpg.exceptions import PostgresError as PostgresError
from asyncpg.pool import Pool as Pool
from asyncpg.pool import create_pool as create_pool
