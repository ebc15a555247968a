/* The system's share of an answer: a static program without a libc that reads the files it is given,
 * as a warm `token` reads them, makes so many system calls in all, has so many page faults, writes
 * one line and ends. It computes nothing.
 *
 *   usage: cc -nostdlib -static -ffreestanding -DCALLS=n -DFAULTS=n; model FILE...
 */
#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, GETPPID = 110, EXIT = 60, OPENAT = 257, FSTAT = 5 };

static long call(long number, long one, long two, long three, long four) {
  register long r10 __asm__("r10") = four;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(one), "S"(two), "d"(three), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, GETPPID = 173, EXIT = 93, OPENAT = 56, FSTAT = 80 };

static long call(long number, long one, long two, long three, long four) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = one;
  register long x1 __asm__("x1") = two;
  register long x2 __asm__("x2") = three;
  register long x3 __asm__("x3") = four;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}

__asm__(".globl _start\n_start: mov x0, sp\n bl run\n");
#endif

enum { PAGE = 4096, HERE = -100 };

/* As large as the program and in its file, so that the system maps as much; every other page is
 * written to, and each of these is a fault of its own. */
static volatile char pages[2 * PAGE * (FAULTS + 1)] = {1};
static char buffer[16 * PAGE];

__attribute__((used)) void run(long *stack) {
  long count = stack[0], calls = 2;

  for (long number = 1; number < count; number++) {
    long file = call(OPENAT, HERE, stack[1 + number], 0, 0);
    if (file < 0) call(EXIT, 1, 0, 0, 0);
    call(FSTAT, file, (long)buffer, 0, 0);
    call(READ, file, (long)buffer, sizeof buffer, 0);
    call(CLOSE, file, 0, 0, 0);
    calls += 4;
  }
  for (long page = 0; page < FAULTS; page++) pages[2 * PAGE * page] = 1;
  for (; calls < CALLS; calls++) call(GETPPID, 0, 0, 0, 0);
  buffer[0] = '\n';
  call(WRITE, 1, (long)buffer, 1, 0);
  call(EXIT, 0, 0, 0, 0);
}
