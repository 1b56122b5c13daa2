#include "allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEED_ADDRESS_SANITIZER
#elif __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HEED_OTHER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HEED_ADDRESS_SANITIZER
#elif defined(__SANITIZE_THREAD__)
#define HEED_OTHER_SANITIZER
#endif

namespace {
std::atomic<long> calls{0}, asked{0};
void note(std::size_t size) {
  ++calls;
  asked += long(size);
}
}  // namespace
long allocations::count() { return calls; }
long allocations::bytes() { return asked; }

#if defined(HEED_ADDRESS_SANITIZER)

// The sanitizer's own allocator tells of its calls.
#include <sanitizer/allocator_interface.h>

bool allocations::counted() {
  static const bool installed =
      __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t size) { note(size); },
                                                [](const volatile void*) {}) != 0;
  return installed;
}

#elif defined(__linux__) && defined(__GLIBC__) && !defined(HEED_OTHER_SANITIZER)

// A program's own malloc takes the place of glibc's, which goes on under other names.
bool allocations::counted() { return true; }

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  note(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  note(count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  note(size);
  return __libc_realloc(old, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  note(size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** to, std::size_t alignment, std::size_t size) {
  *to = memalign(alignment, size);
  return *to || size == 0 ? 0 : ENOMEM;
}
void free(void* old) { __libc_free(old); }

}  // extern "C"

#else

bool allocations::counted() { return false; }

#endif
