0data:test
 data
data
foobar:xxx
justsometext
:thisisacommentyay
data:test


