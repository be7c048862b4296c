# getcontext, setcontext (ucontext.c). Offsets in ucontext_t: registers from 40, the pointer to the state of x87 and
# SSE at 224, which is at 424, the mask of signals at 296. System call 14 is rt_sigprocmask.
.text
.globl __glibc_getcontext
.type __glibc_getcontext,@function
__glibc_getcontext:
	mov %r8, 40(%rdi)
	mov %r9, 48(%rdi)
	mov %r12, 72(%rdi)
	mov %r13, 80(%rdi)
	mov %r14, 88(%rdi)
	mov %r15, 96(%rdi)
	mov %rdi, 104(%rdi)
	mov %rsi, 112(%rdi)
	mov %rbp, 120(%rdi)
	mov %rbx, 128(%rdi)
	mov %rdx, 136(%rdi)
	movq $0, 144(%rdi)
	mov %rcx, 152(%rdi)
	lea 8(%rsp), %rax
	mov %rax, 160(%rdi)
	mov (%rsp), %rax
	mov %rax, 168(%rdi)
	lea 424(%rdi), %rax
	mov %rax, 224(%rdi)
	fnstenv (%rax)
	fldenv (%rax)
	stmxcsr 24(%rax)
	lea 296(%rdi), %rdx
	xor %edi, %edi
	xor %esi, %esi
	mov $8, %r10d
	mov $14, %eax
	syscall
	xor %eax, %eax
	ret

.globl __glibc_setcontext
.type __glibc_setcontext,@function
__glibc_setcontext:
	push %rdi
	lea 296(%rdi), %rsi
	mov $2, %edi
	xor %edx, %edx
	mov $8, %r10d
	mov $14, %eax
	syscall
	pop %rdi
	mov 224(%rdi), %rcx
	fldenv (%rcx)
	ldmxcsr 24(%rcx)
	mov 160(%rdi), %rsp
	mov 128(%rdi), %rbx
	mov 120(%rdi), %rbp
	mov 72(%rdi), %r12
	mov 80(%rdi), %r13
	mov 88(%rdi), %r14
	mov 96(%rdi), %r15
	pushq 168(%rdi)
	mov 112(%rdi), %rsi
	mov 136(%rdi), %rdx
	mov 152(%rdi), %rcx
	mov 40(%rdi), %r8
	mov 48(%rdi), %r9
	mov 104(%rdi), %rdi
	xor %eax, %eax
	ret

# A context's function returns here: continue with uc_link, or end the thread (the first thread: the program).
.hidden __context_returned
.globl __context_returned
.type __context_returned,@function
__context_returned:
	mov %rbx, %rsp
	mov (%rsp), %rdi
	and $-16, %rsp
	test %rdi, %rdi
	jz 1f
	call __glibc_setcontext
1:	xor %edi, %edi
	call exit
	hlt
