# Compiler settings that every target of this project shares; nothing of it is exported to plugin authors.
add_library(retort_build_settings INTERFACE)
set_property(TARGET retort_build_settings PROPERTY INTERFACE_COMPILE_OPTIONS
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wno-missing-field-initializers
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Wold-style-cast;-Woverloaded-virtual>
  # Several sources in one: names of other files are no shadows, and a type of an unnamed namespace is still of one file.
  # What GCC says of memory depends on what it inlined: errors only where each source stands alone.
  $<$<AND:$<BOOL:${RETORT_UNITY}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-Wno-shadow;-Wno-subobject-linkage;-Wno-error=array-bounds;-Wno-error=dangling-pointer;-Wno-error=maybe-uninitialized;-Wno-error=restrict;-Wno-error=stringop-overflow;-Wno-error=stringop-overread>)
if(RETORT_SANITIZE)
  # GCC 14 takes what the sanitizers add to std::optional and <regex> for reads of uninitialised memory.
  add_compile_options(-fsanitize=${RETORT_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_link_options(-fsanitize=${RETORT_SANITIZE})
endif()
if(RETORT_FUZZ)
  # Coverage for libFuzzer in everything that is compiled; only the targets link its main function.
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
