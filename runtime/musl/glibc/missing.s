# Stubs for missing functions (src/ldso/glibc.h): each pushes its number; a stub has 10 bytes.
.text
.hidden __missing_stubs
.globl __missing_stubs
.type __missing_stubs,@function
__missing_stubs:
.set i, 0
.rept 256
	.byte 0x68
	.long i
	.byte 0xe9
	.long 1f - . - 4
	.set i, i + 1
.endr
1:	pop %rdi
	and $-16, %rsp
	call __missing_called
