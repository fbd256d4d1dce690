# What most files of the core include, compiled once. Half of what such a file costs the compiler is JSON's templates.
#
#   retort_precompile(TARGET)       a target without oneDNN, OpenMP and LibTorch, whose code is not what Retort spends its
#                                   time in: the common headers, and -O2 in a release
#   retort_precompile_plugins(TARGET…) plugins: the common headers and the SDK's C++ one; in a release -O1, since their
#                                   code joins what is computed elsewhere. Not those compiled with OpenMP: they compute
#   retort_precompile_tests(FOLDER) every test program below FOLDER that neither has headers of its own nor other flags; in a
#                                   release -O0 where nothing is computed with OpenMP. What such a program instantiates is
#                                   hidden, or the libraries under test would call it in place of their own optimised copies
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "int main() {}  // its target holds the precompiled headers\n")
set(retort_common_headers
  <algorithm> <filesystem> <fstream> <functional> <map> <memory> <optional> <set> <sstream> <stdexcept> <string>
  <string_view> <vector> <nlohmann/json.hpp>)

function(retort_precompile target)
  if(RETORT_FUZZ)
    return()
  endif()
  if(NOT TARGET retort_precompiled)
    add_library(retort_precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
    target_link_libraries(retort_precompiled PRIVATE nlohmann_json::nlohmann_json retort_build_settings)
    target_compile_options(retort_precompiled PRIVATE $<$<CONFIG:Release>:-O2>)
    target_precompile_headers(retort_precompiled PRIVATE ${retort_common_headers})
  endif()
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)  # compiled with -fPIE: headers precompiled for libraries do not fit
    target_precompile_headers(${target} PRIVATE ${retort_common_headers})
  else()
    target_precompile_headers(${target} REUSE_FROM retort_precompiled)
  endif()
endfunction()

# Whether sources of a target are compiled with OpenMP, by what it links and what that passes on.
function(retort_compiled_with_openmp target result)
  set(${result} FALSE)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  set(seen "")
  while(libraries)
    list(POP_FRONT libraries library)
    if(library MATCHES "^OpenMP::")
      set(${result} TRUE)
      break()
    endif()
    if(NOT TARGET "${library}" OR library IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${library})
    get_target_property(passed_on ${library} INTERFACE_LINK_LIBRARIES)
    if(passed_on)
      list(APPEND libraries ${passed_on})
    endif()
  endwhile()
  return(PROPAGATE ${result})
endfunction()

# A target of the common headers; its name ends in "_openmp" for sources compiled with OpenMP.
function(retort_precompiled_headers name target openmp)
  if(openmp)
    string(APPEND name _openmp)
    set(libraries OpenMP::OpenMP_CXX)
  endif()
  if(NOT TARGET ${name})
    cmake_parse_arguments(PARSE_ARGV 3 with "PROGRAM" "OPTIMISATION" "LIBRARIES;HEADERS")
    if(with_PROGRAM)  # compiled with -fPIE: headers precompiled for libraries do not fit
      add_executable(${name} EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cpp)
      if(NOT openmp)
        set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
      endif()
    else()
      add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cpp)
      set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)  # as plugins
    endif()
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:${with_OPTIMISATION}>)
    target_link_libraries(${name} PRIVATE nlohmann_json::nlohmann_json retort_build_settings ${with_LIBRARIES} ${libraries})
    target_precompile_headers(${name} PRIVATE ${retort_common_headers} ${with_HEADERS})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

function(retort_precompile_plugins)
  foreach(target IN LISTS ARGN)
    retort_compiled_with_openmp(${target} openmp)
    if(NOT openmp)
      retort_precompiled_headers(retort_precompiled_plugins ${target} FALSE OPTIMISATION -O1
        LIBRARIES retort::sdk HEADERS <retort/plugin.hpp>)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
  endforeach()
endfunction()

function(retort_precompile_tests folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(reused ${target} PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(type STREQUAL EXECUTABLE AND NOT own AND NOT reused AND "${libraries}" MATCHES "GTest" AND
        NOT "${libraries}" MATCHES "torch|benchmark")
      retort_compiled_with_openmp(${target} openmp)
      set(optimisation -O1)
      if(NOT openmp)
        set(optimisation -O0)
        target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O0>)
        set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
      endif()
      retort_precompiled_headers(retort_precompiled_tests ${target} ${openmp} PROGRAM OPTIMISATION ${optimisation}
        LIBRARIES GTest::gtest HEADERS <gtest/gtest.h>)
    endif()
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    retort_precompile_tests(${subfolder})
  endforeach()
endfunction()
