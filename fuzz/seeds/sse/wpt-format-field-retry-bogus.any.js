0retry:3000
retry:1000x
data:x


