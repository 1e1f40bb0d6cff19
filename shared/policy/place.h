/* A spot in a text, for those who are told where something stands.
 * Not the text. Pure values.
 * Apart from hujson.h, whose names and those of jansson do not go together. */
#ifndef PLACE_H
#define PLACE_H

struct place {
	unsigned line, column; /* from 1; columns count bytes; 0: nowhere */
};

#endif
