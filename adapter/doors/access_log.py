"""Where a door leaves word for the line that the web server logs, in the WSGI environment."""

OPERATION_KEY = "adapter.operation"
CODE_KEY = "adapter.code"
