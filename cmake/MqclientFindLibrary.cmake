# mqclient_find_library(NAME HEADER LIBRARY PACKAGE)
#
#   The body of a find module for a C library that Debian ships without a CMake package (zstd's names its target after how
#   it was built). Defines NAME::NAME. PACKAGE is Debian's name, for whoever lacks it. Installed beside the modules: a
#   static mqclient brings its libraries to the link. A macro: find_package reads variables of the caller.
include(FindPackageHandleStandardArgs)
macro(mqclient_find_library name header library package)
  find_path(${name}_INCLUDE_DIR NAMES ${header})
  find_library(${name}_LIBRARY NAMES ${library})
  mark_as_advanced(${name}_INCLUDE_DIR ${name}_LIBRARY)
  find_package_handle_standard_args(
    ${name} REQUIRED_VARS ${name}_LIBRARY ${name}_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "on Debian and Ubuntu: apt-get install ${package}")
  if(${name}_FOUND AND NOT TARGET ${name}::${name})
    add_library(${name}::${name} UNKNOWN IMPORTED)
    set_target_properties(${name}::${name} PROPERTIES
      IMPORTED_LOCATION "${${name}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${${name}_INCLUDE_DIR}")
  endif()
endmacro()
