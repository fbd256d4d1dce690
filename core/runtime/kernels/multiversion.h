// One macro: compile a function for several x86-64 levels and pick by the processor at load time, so that a portable
// build still uses AVX-512.
#pragma once

// Sanitizer builds keep one version: the resolvers run before the sanitizer's own start-up.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RETORT_MULTIVERSION __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define RETORT_MULTIVERSION
#endif
