7retry:1000
data:test1

id:test
data:test2
