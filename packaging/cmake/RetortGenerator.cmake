# Read by cpack once for each generator: the archive holds all components, the Debian packages one each.
if(CPACK_GENERATOR STREQUAL "TGZ")
  set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
  set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
  set(CPACK_PACKAGING_INSTALL_PREFIX /)
  execute_process(COMMAND dpkg --print-architecture OUTPUT_VARIABLE architecture OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(CPACK_PACKAGE_FILE_NAME retort-${CPACK_PACKAGE_VERSION}-linux-${architecture})
endif()
set(CMAKE_SUPPRESS_DEVELOPER_WARNINGS ON)  # of plugins without a soname: they are loaded by path
