# utf8proc ships a pkg-config file on some systems and only a header and library on others.
find_path(UTF8PROC_INCLUDE_DIR utf8proc.h)
find_library(UTF8PROC_LIBRARY utf8proc)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibUtf8proc REQUIRED_VARS UTF8PROC_LIBRARY UTF8PROC_INCLUDE_DIR)
if(LibUtf8proc_FOUND AND NOT TARGET LibUtf8proc::utf8proc)
  add_library(LibUtf8proc::utf8proc UNKNOWN IMPORTED)
  set_target_properties(LibUtf8proc::utf8proc PROPERTIES
    IMPORTED_LOCATION ${UTF8PROC_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${UTF8PROC_INCLUDE_DIR})
endif()
