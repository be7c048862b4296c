/* DEFLATE (RFC 1951): unpacks a compressed file of the payload (payload.h) into memory of the unpacked size.
 *
 * The output is its own window. So no state outlives a call and nothing is allocated, and this may be called wherever
 * open may. It uses 3 KiB of stack. The input may be damaged: that gives an error, and nothing worse. */

#include <string.h>
#include <errno.h>
#include "payload.h"

#define MAX_LENGTH 15		/* of a code, in bits */
#define QUICK 9			/* codes of at most so many bits, which are nearly all, are looked up */

/* The next bits, the lowest first. Above count there may be more bits, from the byte at `at`. */
struct input {
	const unsigned char *at, *end;
	uint64_t bits;
	unsigned count;
};

/* A canonical code (3.2.2): the number of codes of each length, and their symbols in order. A table has, for the next
 * bits of the input, a symbol and its length, or 0. */
struct code {
	uint16_t count[MAX_LENGTH + 1], symbol[288], quick[1 << QUICK];
};

/* Fills up to at least 56 bits, if there are so many. */
static void fill(struct input *in)
{
	if (in->end - in->at >= 8) {
		uint64_t next;
		memcpy(&next, in->at, sizeof next);	/* each CPU is little-endian */
		in->bits |= next << in->count;
		in->at += (63 - in->count) >> 3;
		in->count |= 56;
		return;
	}
	for (; in->count < 56 && in->at < in->end; in->count += 8)
		in->bits |= (uint64_t)*in->at++ << in->count;
}

static void drop(struct input *in, unsigned n)
{
	in->bits >>= n;
	in->count -= n;
}

/* Takes so many bits, at most 16; or -1. */
static int take(struct input *in, unsigned n)
{
	if (in->count < n) fill(in);
	if (in->count < n) return -1;
	int r = in->bits & ((1U << n) - 1);
	drop(in, n);
	return r;
}

/* Makes a code from the lengths by symbol. It may have fewer words than there is room for, but not more. */
static int make(struct code *c, const unsigned char *lengths, int n)
{
	uint16_t place[MAX_LENGTH + 2] = { 0 }, word[MAX_LENGTH + 2] = { 0 };
	int left = 1;
	*c = (struct code){ 0 };
	for (int i=0; i<n; i++) c->count[lengths[i]]++;
	c->count[0] = 0;
	for (int l=1; l<=MAX_LENGTH; l++) {
		left = 2*left - c->count[l];
		if (left < 0) return -EIO;
		place[l+1] = place[l] + c->count[l];
		word[l+1] = (word[l] + c->count[l]) << 1;
	}
	for (int i=0; i<n; i++) {
		int l = lengths[i];
		if (!l) continue;
		c->symbol[place[l]++] = i;
		unsigned w = word[l]++, turned = 0;
		if (l > QUICK) continue;
		for (int b=0; b<l; b++) turned |= (w >> b & 1) << (l-1-b);
		for (; turned < 1 << QUICK; turned += 1 << l) c->quick[turned] = i << 4 | l;
	}
	return 0;
}

/* The next symbol, or -1, from the bits that are available. */
static int decode(struct input *in, const struct code *c)
{
	int quick = c->quick[in->bits & ((1 << QUICK) - 1)];
	if (quick) {
		if ((quick & 15) > in->count) return -1;
		drop(in, quick & 15);
		return quick >> 4;
	}
	int word = 0, first = 0, place = 0;
	for (unsigned l=1; l<=MAX_LENGTH && l<=in->count; l++) {
		word |= (in->bits >> (l-1)) & 1;
		int count = c->count[l];
		if (word - first < count) {
			drop(in, l);
			return c->symbol[place + word - first];
		}
		place += count;
		first = (first + count) << 1;
		word <<= 1;
	}
	return -1;
}

/* The codes of a block with dynamic codes (3.2.7). */
static int read_codes(struct input *in, struct code *literals, struct code *distances)
{
	static const unsigned char order[19] = { 16,17,18,0,8,7,9,6,10,5,11,4,12,3,13,2,14,1,15 };
	unsigned char lengths[288 + 32] = { 0 };
	int nl = take(in, 5), nd = take(in, 5), n = take(in, 4), i;
	if (nl < 0 || nd < 0 || n < 0 || nl > 286 - 257) return -EIO;
	nl += 257;
	nd += 1;
	n += 4;
	for (i=0; i<n; i++) {
		int l = take(in, 3);
		if (l < 0) return -EIO;
		lengths[order[i]] = l;
	}
	if (make(literals, lengths, 19)) return -EIO;
	memset(lengths, 0, 19);
	for (i=0; i<nl+nd; ) {
		fill(in);
		int symbol = decode(in, literals), value = 0, again;
		if (symbol < 0) return -EIO;
		if (symbol < 16) {
			lengths[i++] = symbol;
			continue;
		}
		if (symbol == 16) {
			if (!i) return -EIO;
			value = lengths[i-1];
		}
		again = symbol == 16 ? take(in, 2) : symbol == 17 ? take(in, 3) : take(in, 7);
		if (again < 0) return -EIO;
		again += symbol == 18 ? 11 : 3;
		if (again > nl + nd - i) return -EIO;
		memset(lengths + i, value, again);
		i += again;
	}
	return make(literals, lengths, nl) || make(distances, lengths + nl, nd) ? -EIO : 0;
}

/* The fixed codes (3.2.6). */
static void set_codes(struct code *literals, struct code *distances)
{
	unsigned char lengths[288];
	for (int i=0; i<288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	make(literals, lengths, 288);
	memset(lengths, 5, 30);
	make(distances, lengths, 30);
}

static unsigned char *copy(unsigned char *out, unsigned char *end, size_t distance, size_t length)
{
	const unsigned char *from = out - distance;
	unsigned char *stop = out + length;
	if (distance >= 8 && end - stop >= 8) {
		/* Copies up to 7 bytes more, which later output overwrites. */
		for (; out < stop; out += 8, from += 8) memcpy(out, from, 8);
		return stop;
	}
	while (out < stop) *out++ = *from++;
	return stop;
}

/* Literals and repetitions, to the end of a block. Returns the end of the output, or null. */
static unsigned char *inflate_block(struct input *in, const struct code *literals, const struct code *distances,
	unsigned char *start, unsigned char *out, unsigned char *end)
{
	static const uint16_t base[] = {
		3,4,5,6,7,8,9,10,11,13,15,17,19,23,27,31,35,43,51,59,67,83,99,115,131,163,195,227,258 };
	static const unsigned char more[] = { 0,0,0,0,0,0,0,0,1,1,1,1,2,2,2,2,3,3,3,3,4,4,4,4,5,5,5,5,0 };
	for (;;) {
		/* A length and a distance have at most 48 bits. */
		fill(in);
		int symbol = decode(in, literals);
		if (symbol < 0) return 0;
		if (symbol < 256) {
			if (out == end) return 0;
			*out++ = symbol;
			continue;
		}
		if (symbol == 256) return out;
		if (symbol > 285) return 0;
		int length = take(in, more[symbol - 257]);
		int d = decode(in, distances);
		if (length < 0 || d < 0 || d > 29) return 0;
		length += base[symbol - 257];
		unsigned n = d < 4 ? 0 : d/2 - 1;
		int distance = take(in, n);
		if (distance < 0) return 0;
		distance += d < 4 ? d + 1 : ((2 + d%2) << n) + 1;
		if (distance > out - start || length > end - out) return 0;
		out = copy(out, end, distance, length);
	}
}

/* A block that is not compressed (3.2.4). */
static unsigned char *copy_block(struct input *in, unsigned char *out, unsigned char *end)
{
	/* Bytes that were read too early are read again. */
	drop(in, in->count & 7);
	in->at -= in->count / 8;
	in->bits = in->count = 0;
	if (in->end - in->at < 4) return 0;
	size_t length = in->at[0] | in->at[1] << 8;
	if ((length ^ 0xffff) != (in->at[2] | in->at[3] << 8)) return 0;
	in->at += 4;
	if (length > in->end - in->at || length > end - out) return 0;
	memcpy(out, in->at, length);
	in->at += length;
	return out + length;
}

/* Returns 0 if the input unpacks to exactly so many bytes. Otherwise -EIO, and the memory's content is of no use. */
int __payload_inflate(void *memory, size_t size, const void *packed, size_t packed_size)
{
	struct input in = { .at = packed, .end = (const unsigned char *)packed + packed_size };
	unsigned char *start = memory, *out = start, *end = start + size;
	struct code literals, distances;
	for (int last = 0; !last; ) {
		last = take(&in, 1);
		int kind = take(&in, 2);
		if (last < 0 || kind < 0 || kind == 3) return -EIO;
		if (kind == 0) {
			out = copy_block(&in, out, end);
		} else {
			if (kind == 1) set_codes(&literals, &distances);
			else if (read_codes(&in, &literals, &distances)) return -EIO;
			out = inflate_block(&in, &literals, &distances, start, out, end);
		}
		if (!out) return -EIO;
	}
	return out == end ? 0 : -EIO;
}
