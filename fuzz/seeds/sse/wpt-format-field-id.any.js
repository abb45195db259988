0id: …
retry: 200
data: hello

