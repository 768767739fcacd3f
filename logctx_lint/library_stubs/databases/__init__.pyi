from databases.core import Database as Database
