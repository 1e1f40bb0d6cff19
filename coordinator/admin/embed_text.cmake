# cmake -DOUT=file.c -DNAME=symbol -DFILE=text -P embed_text.cmake: a file as a C array, ended by a NUL.
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "extern const char ${NAME}[];\nconst char ${NAME}[] = {${bytes}0};\n")
