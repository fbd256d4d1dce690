# What most files of the core include, compiled once. Half of what such a file costs the compiler is JSON's templates.
#
#   retort_precompile(TARGET)       a target without oneDNN, OpenMP and LibTorch, whose code is not what Retort spends its
#                                   time in: the common headers, and -O2 in a release
#   retort_precompile_tests(FOLDER) every test program below FOLDER that neither has headers of its own nor other flags
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

function(retort_precompile_tests folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(reused ${target} PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(NOT type STREQUAL EXECUTABLE OR own OR reused OR NOT "${libraries}" MATCHES "GTest" OR
        "${libraries}" MATCHES "torch|OpenMP|benchmark|_algorithm|quantize_grid")
      continue()
    endif()
    if(NOT TARGET retort_precompiled_tests)
      add_executable(retort_precompiled_tests EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cpp)
      target_link_libraries(retort_precompiled_tests PRIVATE GTest::gtest nlohmann_json::nlohmann_json
        retort_build_settings)
      target_precompile_headers(retort_precompiled_tests PRIVATE ${retort_common_headers} <gtest/gtest.h>)
    endif()
    target_precompile_headers(${target} REUSE_FROM retort_precompiled_tests)
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    retort_precompile_tests(${subfolder})
  endforeach()
endfunction()
