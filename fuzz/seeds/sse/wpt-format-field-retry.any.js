7retry:03000
data:x


