/* Starts programs, one after another and in random order, and writes down what each start took.
 *
 *   usage: start ROUNDS ENVIRONMENT... < JOBS
 *          start @COUNT ENVIRONMENT... < JOB
 *          start %COUNT ENVIRONMENT... < JOB
 *
 * A job is a line of words with tabs between them: the file for its stdin, the program, its
 * arguments. One line for each start comes out: the number of the job, nanoseconds from posix_spawn
 * to the end, microseconds of processor time, KiB of memory at most, page faults. With @COUNT that
 * many processes of one job are started at once, and one line says how many nanoseconds went by
 * until the last had ended, and microseconds of processor time of all. With %COUNT each processor
 * starts one job that often, one start after the other, and one line says the same. The variables of
 * a job are those of the command line alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 64, WORDS = 32 };

struct job {
  char *input;
  char *words[WORDS + 1];
};

static void die(const char *what, const char *why) {
  fprintf(stderr, "start: %s: %s\n", what, why);
  exit(1);
}

static struct job read_job(char *line) {
  struct job job = {0};
  int count = 0;
  job.input = strtok(line, "\t");
  for (char *word; count < WORDS && (word = strtok(NULL, "\t"));) job.words[count++] = word;
  return job;
}

static long nanoseconds(struct timespec from, struct timespec to) {
  return (to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec;
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

static pid_t spawn(const struct job *job, char **environment) {
  posix_spawn_file_actions_t files;
  pid_t child;

  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, job->input, O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  int error = posix_spawn(&child, job->words[0], &files, NULL, (char **)job->words, environment);
  if (error) die(job->words[0], strerror(error));
  posix_spawn_file_actions_destroy(&files);
  return child;
}

static void all_end(int count, const char *what) {
  int status;

  for (int number = 0; number < count; number++) {
    while (wait(&status) < 0)
      if (errno != EINTR) die("wait", strerror(errno));
    if (status) die(what, "it failed");
  }
}

static void many(int count, int side_by_side, const struct job *job, char **environment) {
  struct timespec began, ended;
  struct rusage usage;

  clock_gettime(CLOCK_MONOTONIC, &began);
  if (side_by_side) {
    for (int number = 0; number < count; number++) spawn(job, environment);
    all_end(count, job->words[0]);
  } else {
    int processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (int number = 0; number < processors; number++) {
      pid_t child = fork();
      if (child < 0) die("fork", strerror(errno));
      if (child) continue;
      for (int left = count; left > 0; left--) {
        spawn(job, environment);
        all_end(1, job->words[0]);
      }
      _exit(0);
    }
    all_end(processors, job->words[0]);
  }
  clock_gettime(CLOCK_MONOTONIC, &ended);
  getrusage(RUSAGE_CHILDREN, &usage);
  printf("%ld %ld\n", nanoseconds(began, ended),
         microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
}

static void start(int number, const struct job *job, char **environment) {
  struct timespec began, ended;
  struct rusage usage;
  int status;

  clock_gettime(CLOCK_MONOTONIC, &began);
  pid_t child = spawn(job, environment);
  while (wait4(child, &status, 0, &usage) < 0)
    if (errno != EINTR) die("wait4", strerror(errno));
  clock_gettime(CLOCK_MONOTONIC, &ended);
  if (status) die(job->words[0], "it failed");
  printf("%d %ld %ld %ld %ld\n", number, nanoseconds(began, ended),
         microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss,
         usage.ru_minflt);
}

int main(int count, char **arguments) {
  static struct job jobs[JOBS];
  static char *none[] = {NULL};
  int number = 0, order[JOBS];
  char line[8192];

  if (count < 2) die("usage", "start ROUNDS ENVIRONMENT... < JOBS");
  while (number < JOBS && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    jobs[number] = read_job(strdup(line));
    order[number] = number;
    number++;
  }
  char **environment = count > 2 ? arguments + 2 : none;
  if (arguments[1][0] == '@' || arguments[1][0] == '%') {
    many(atoi(arguments[1] + 1), arguments[1][0] == '@', &jobs[0], environment);
    return 0;
  }
  srand48(time(NULL) ^ getpid());
  for (int round = atoi(arguments[1]); round > 0; round--) {
    for (int last = number - 1; last > 0; last--) {
      int other = lrand48() % (last + 1), kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    for (int place = 0; place < number; place++)
      start(order[place], &jobs[order[place]], environment);
  }
  return 0;
}
