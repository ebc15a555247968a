# The least that a program can be: it is started and ends. What it takes is the system's.
        .globl  _start
#if defined(__x86_64__)
_start: mov     $60, %eax
        xor     %edi, %edi
        syscall
#elif defined(__aarch64__)
_start: mov     x8, #93
        mov     x0, #0
        svc     #0
#endif
        .section .note.GNU-stack, "", %progbits
