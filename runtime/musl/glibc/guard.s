# A call with a frame for which the unwinder asks __guard_personality (callbacks.c).
.text
.hidden __call_guarded
.globl __call_guarded
.type __call_guarded,@function
__call_guarded:
	.cfi_startproc
	.cfi_personality 0x1b, __guard_personality
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	call *%rdi
	pop %rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
