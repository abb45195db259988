7data:	testdata: 
data:test


