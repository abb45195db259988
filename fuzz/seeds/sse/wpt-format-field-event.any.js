7event:test
data:x

data:x


