# What most files of the core include, compiled once. Half of what such a file costs the compiler is JSON's templates.
#
#   retort_precompile(TARGET)       a target without oneDNN, OpenMP and LibTorch, whose code is not what Retort spends its
#                                   time in: the common headers, and -O2 in a release
#   retort_precompile_tests(FOLDER) every test program below FOLDER that neither has headers of its own nor other flags
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "// Nothing: its target holds the precompiled headers.\n")
set(retort_common_headers
  <algorithm> <filesystem> <fstream> <functional> <map> <memory> <optional> <set> <sstream> <stdexcept> <string>
  <string_view> <vector> <nlohmann/json.hpp>)

function(retort_make_precompiled name)
  cmake_parse_arguments(PARSE_ARGV 1 precompiled "" "" "HEADERS;LIBRARIES;OPTIONS")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(${name} PRIVATE ${precompiled_LIBRARIES} nlohmann_json::nlohmann_json retort_build_settings)
  target_compile_options(${name} PRIVATE ${precompiled_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${precompiled_HEADERS})
endfunction()

function(retort_precompile target)
  if(RETORT_FUZZ)
    return()
  endif()
  if(NOT TARGET retort_precompiled)
    retort_make_precompiled(retort_precompiled HEADERS ${retort_common_headers} OPTIONS $<$<CONFIG:Release>:-O2>)
  endif()
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  target_precompile_headers(${target} REUSE_FROM retort_precompiled)
endfunction()

function(retort_precompile_tests folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(reused ${target} PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(NOT type STREQUAL EXECUTABLE OR own OR reused OR NOT "${libraries}" MATCHES "GTest" OR
        "${libraries}" MATCHES "torch|OpenMP|benchmark")
      continue()
    endif()
    if(NOT TARGET retort_precompiled_tests)
      retort_make_precompiled(retort_precompiled_tests HEADERS ${retort_common_headers} <gtest/gtest.h>
        LIBRARIES GTest::gtest)
    endif()
    target_precompile_headers(${target} REUSE_FROM retort_precompiled_tests)
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    retort_precompile_tests(${subfolder})
  endforeach()
endfunction()
