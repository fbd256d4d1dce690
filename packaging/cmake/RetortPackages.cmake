# What is installed where, and the Debian packages and archives made of it (CPack). Plugins (plugins/) and
# the plugin scanner (core/host) install themselves. Components, one Debian package each:
#   runtime  retort        command line, core library, plugins without LibTorch, configs; no LibTorch dependency
#   train    retort-train  training library and the plugins that need LibTorch
#   sdk      retort-sdk    headers, CMake package, pkg-config file, plugin templates; the same on every architecture
#   doc      retort-doc    guides
get_property(plugin_targets GLOBAL PROPERTY RETORT_PLUGIN_TARGETS)
add_custom_target(product DEPENDS retort retort-plugin-scan ${plugin_targets})  # all that is installed; no tests

# What configs/quickstart.json needs and nothing else: the first answer comes sooner. A component's target is called after
# its id.
file(STRINGS ${PROJECT_SOURCE_DIR}/configs/quickstart.json quickstart_uses REGEX "\"use\": \"[a-z_.]+\"")
string(REGEX MATCHALL "\"use\": \"[a-z_.]+\"" quickstart_uses "${quickstart_uses}")
list(TRANSFORM quickstart_uses REPLACE "\"use\": \"([a-z_]+)\\.([a-z_]+)\"" "\\1_\\2")
list(REMOVE_DUPLICATES quickstart_uses)
if(RETORT_TRAIN)
  add_custom_target(quickstart DEPENDS retort retort-plugin-scan ${quickstart_uses})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/configs/quickstart.json)
endif()

# The libraries are found from the files that need them, so that an installation can be moved as a whole.
file(RELATIVE_PATH bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(retort PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
install(TARGETS retort RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(TARGETS retort-core LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_SKIP)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/retort COMPONENT runtime)
if(RETORT_TRAIN)
  add_dependencies(product retort-train)
  set_target_properties(retort-train PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS retort-train LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT train NAMELINK_SKIP)
endif()

# Everything of the SDK lies under <datadir> and <includedir>: nothing in it depends on the architecture.
set(sdk_package_folder ${CMAKE_INSTALL_DATADIR}/cmake/retort-sdk)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/sdk/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT sdk)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/sdk/templates DESTINATION ${CMAKE_INSTALL_DATADIR}/retort-sdk
  COMPONENT sdk)
install(TARGETS retort-sdk EXPORT retort-sdk)
install(EXPORT retort-sdk NAMESPACE retort:: FILE retort-sdk-targets.cmake DESTINATION ${sdk_package_folder}
  COMPONENT sdk)
include(CMakePackageConfigHelpers)
configure_package_config_file(${PROJECT_SOURCE_DIR}/sdk/cmake/retort-sdk-config.cmake.in
  ${PROJECT_BINARY_DIR}/sdk/retort-sdk-config.cmake INSTALL_DESTINATION ${sdk_package_folder}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sdk/retort-sdk-config-version.cmake
  VERSION ${RETORT_SDK_VERSION} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/sdk/retort-sdk-config.cmake
  ${PROJECT_BINARY_DIR}/sdk/retort-sdk-config-version.cmake
  ${PROJECT_SOURCE_DIR}/sdk/cmake/RetortAddPlugin.cmake
  ${PROJECT_SOURCE_DIR}/sdk/cmake/retort-plugin.map
  DESTINATION ${sdk_package_folder} COMPONENT sdk)
file(STRINGS ${PROJECT_SOURCE_DIR}/sdk/include/retort/abi/base.h abi_major REGEX "#define RETORT_ABI_MAJOR [0-9]+")
string(REGEX REPLACE ".* ([0-9]+).*" "\\1" abi_major "${abi_major}")
configure_file(${PROJECT_SOURCE_DIR}/sdk/cmake/retort-sdk.pc.in ${PROJECT_BINARY_DIR}/sdk/retort-sdk.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sdk/retort-sdk.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig COMPONENT sdk)

foreach(guide README.md CONTRIBUTING.md)
  install(FILES ${PROJECT_SOURCE_DIR}/${guide} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/retort-doc
    COMPONENT doc)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/sdk/CHANGES.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/retort-doc/sdk COMPONENT doc)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/measurements DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/retort-doc/docs
  COMPONENT doc)
foreach(folder core sdk)
  install(FILES ${PROJECT_SOURCE_DIR}/${folder}/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/retort-doc/${folder}
    COMPONENT doc)
endforeach()

set(components runtime sdk doc)
if(RETORT_TRAIN)
  list(APPEND components train)
endif()
set(runtime_package retort)
foreach(component train sdk doc)
  set(${component}_package retort-${component})
endforeach()
foreach(component IN LISTS components)  # Debian wants each package's licence there
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${${component}_package}
    RENAME copyright COMPONENT ${component})
endforeach()

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME retort)
set(CPACK_PACKAGE_VENDOR "Retort")
set(CPACK_PACKAGE_CONTACT "Retort developers <retort@localhost>")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_COMPONENT_TRAIN_DEPENDS runtime)
# One Debian package a component, one archive of everything; the archive can be unpacked anywhere.
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/packaging/cmake/RetortGenerator.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
foreach(component IN LISTS components)
  string(TOUPPER ${component} COMPONENT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME ${${component}_package})
endforeach()
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "This package holds the command line, the engine that runs compressed models and
the plugins that work without LibTorch.")
set(CPACK_COMPONENT_TRAIN_DESCRIPTION "This package adds the training stages: fine-tuning, reinforcement learning,
distillation, pruning and quantisation, on LibTorch.")
set(CPACK_COMPONENT_SDK_DESCRIPTION "This package holds what plugin authors need: headers, CMake package, pkg-config
file and templates. Plugins link nothing of Retort.")
set(CPACK_COMPONENT_DOC_DESCRIPTION "This package holds the guides: how to use it, extend it and change it.")
# Plugin packages depend on the ABI they were built for, not on a version of the program.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_PROVIDES retort-plugin-abi-${abi_major})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS "retort-train, retort-doc")
set(CPACK_DEBIAN_SDK_PACKAGE_SUGGESTS "retort, cmake, pkg-config")
foreach(COMPONENT SDK DOC)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SHLIBDEPS OFF)
endforeach()
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DOC_PACKAGE_SECTION doc)
include(CPack)
