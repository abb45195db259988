0data:

data
data

data:test


