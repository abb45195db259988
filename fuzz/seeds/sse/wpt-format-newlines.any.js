0data:test
data
data:test

