# retort_add_plugin(NAME SOURCES file… [LIBRARIES target…] [NO_INSTALL] [NO_CHECK])
#
# Builds NAME.so, a loadable module that exports retort_plugin_entry_v1 and nothing else, installs it where the host
# looks (<libdir>/retort/plugins), and, where the `retort` command line is known, adds the test NAME.conformance
# (label "plugins"), which runs `retort plugins check` on it; not with NO_CHECK, for a plugin of which nothing can be made
# without parameters. Used in Retort's own tree and by plugin authors alike.
set(RETORT_PLUGIN_VERSION_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/retort-plugin.map")

function(retort_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 plugin "NO_INSTALL;NO_CHECK" "" "SOURCES;LIBRARIES")
  if(NOT plugin_SOURCES)
    message(FATAL_ERROR "retort_add_plugin(${name}): SOURCES is empty")
  endif()
  add_library(${name} MODULE ${plugin_SOURCES})
  target_link_libraries(${name} PRIVATE retort::sdk ${plugin_LIBRARIES})
  set_target_properties(${name} PROPERTIES
    PREFIX "" CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS "${RETORT_PLUGIN_VERSION_SCRIPT}")
  target_link_options(${name} PRIVATE
    "LINKER:--version-script=${RETORT_PLUGIN_VERSION_SCRIPT}" "LINKER:--no-undefined")
  if(NOT plugin_NO_INSTALL)
    include(GNUInstallDirs)
    install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/retort/plugins)
  endif()
  if(TARGET retort::retort AND BUILD_TESTING AND NOT plugin_NO_CHECK)
    add_test(NAME ${name}.conformance COMMAND retort::retort plugins check $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.conformance PROPERTIES LABELS plugins)
  endif()
endfunction()
