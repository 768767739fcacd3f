from asgiref.sync import sync_to_async as database_sync_to_async
