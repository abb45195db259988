7data:msg
data: msg

:
falsefield:msg

falsefield:msg
Data:data

data

data:end

