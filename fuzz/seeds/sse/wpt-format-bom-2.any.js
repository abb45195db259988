0﻿﻿data:1

data:2

data:3


