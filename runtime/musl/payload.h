/* The payload of a program: the files that it carries, which vfs.c shows below the program's own path. This file
 * defines its format; runtime/python/_staticpython/payload.py writes it.
 *
 * The link reserves a place for it: the section .payload, read-only, alone in the program's last PT_LOAD, with room for
 * the head of an empty payload (payload.ld). The bundler writes the payload at the end of a copy of the program, at a
 * multiple of the segment's alignment, and sets the PT_LOAD and the section to that place and size. The kernel maps it
 * with the program, so a symbol finds it, without a system call. And strip keeps it, because it is in a section that is
 * loaded.
 *
 * The ELF note "static-python" has the payload's size, 0 for none. It is elsewhere in the program: if a tool has
 * removed the payload all the same, the program knows.
 *
 * All numbers are little-endian. Places count from the head's first byte, those of names from at_names.
 *
 *	head		struct payload_head
 *	entries		struct payload_entry[]: the root folder first; the children of a folder are next to each other,
 *			sorted by the bytes of their names, and come after the folder itself
 *	names		the names of all entries, without separators; targets of symbolic links are data
 *	configuration	what the program has to do; the C library does not use it: see runtime/interpreter/bundle.c
 *	data		of files and links. Each file that may be mapped is at a multiple of head.page. Files that are only
 *			read may be compressed: not libraries, programs or links
 *
 * The file may be damaged: each number is compared with the payload's size before it is used. */
#ifndef _PAYLOAD_H
#define _PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MAGIC "PYLOAD\0\2"	/* the last byte is the format's version */
#define PAYLOAD_NOTE_NAME "static-python"
#define PAYLOAD_NOTE_TYPE 2		/* the version that the program reads */

/* The note's descriptor. */
struct payload_note {
	uint64_t size;			/* of the payload, 0 for none */
};

struct payload_head {
	char magic[8];
	uint64_t size;			/* of the payload, this head included */
	uint64_t at_entries;		/* a multiple of 8 */
	uint64_t at_names;
	uint64_t names_size;
	uint64_t at_config;
	uint64_t config_size;
	int64_t mtime;			/* of all files, in seconds */
	uint32_t entries;		/* at least the root */
	uint32_t page;			/* what mapped files are aligned to */
	uint8_t sha256[32];		/* of the payload, with this field zero */
	uint8_t program[20];		/* build id of the program it was made for */
	uint8_t reserved[4];		/* zero */
};

enum { PAYLOAD_FOLDER, PAYLOAD_FILE, PAYLOAD_PROGRAM, PAYLOAD_LINK };

struct payload_entry {
	uint32_t name;			/* where it begins */
	uint16_t name_size;		/* 1 to 255; of the root 0 */
	uint16_t kind;
	uint32_t parent;		/* number of the folder that it is in; the root's own for the root */
	uint32_t packed;		/* of a file: its bytes as DEFLATE; 0 if it is stored as it is */
	uint64_t at;			/* folder: number of the first child; otherwise where the data is */
	uint64_t size;			/* folder: number of children; otherwise of bytes, unpacked */
};

/* Unpacks DEFLATE (inflate.c) into memory of the unpacked size: 0, or -EIO. */
int __payload_inflate(void *, size_t, const void *, size_t);

#endif
