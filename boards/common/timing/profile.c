/* Tallies in files: see profile.h. */
#include "profile.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

bool profile_add(struct profile *p, uint32_t base, uint32_t bytes, const char *path, const char **why) {
    *why = "too many pieces are profiled";
    if (p->pieces == MAX_PROFILES) return false;
    *why = "the file of a profile cannot be made";
    const size_t size = ((size_t)bytes + 1u) / 2u * sizeof(struct tally);
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0) return false;
    /* Zeros that take no room until they are counted in. */
    const bool sized = size > 0u && ftruncate(file, (off_t)size) == 0;
    void *const tally = sized ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    if (tally == MAP_FAILED) return false;
    p->piece[p->pieces++] = (struct profiled){base, bytes, tally};
    return true;
}
