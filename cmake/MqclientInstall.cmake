# Installing: headers, libraries, a CMake package (find_package(mqclient)) and a pkg-config file. The floors stay home.
include(CMakePackageConfigHelpers)

get_property(_public_targets GLOBAL PROPERTY MQCLIENT_PUBLIC_TARGETS)
set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/mqclient")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/mqclient" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")
install(TARGETS ${_public_targets} EXPORT mqclientTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  OBJECTS DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT mqclientTargets NAMESPACE mqclient:: DESTINATION "${_package_dir}")

set(MQCLIENT_IS_SHARED OFF)
if(BUILD_SHARED_LIBS)
  set(MQCLIENT_IS_SHARED ON)
endif()
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/mqclientConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/mqclientConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
# Binary compatible within a minor version, as the SOVERSION says.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mqclientConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/mqclientConfig.cmake" "${PROJECT_BINARY_DIR}/mqclientConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindLibdeflate.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindLZ4.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindZstd.cmake" "${PROJECT_SOURCE_DIR}/cmake/MqclientFindLibrary.cmake"
  DESTINATION "${_package_dir}")

# pkg-config names what the link needs; for a static one, the object that binds mock:// in full.
if(BUILD_SHARED_LIBS)
  set(MQCLIENT_PC_LIBS "-L\${libdir} -lmqclient")
else()
  set(MQCLIENT_PC_LIBS "-L\${libdir} -lmqclient_broker -lmqclient_client -ldeflate -llz4 -lzstd -lcurl -pthread")
  if(TARGET mqclient_mock_binding)
    get_target_property(_sources mqclient_mock_binding SOURCES)
    get_target_property(_source_dir mqclient_mock_binding SOURCE_DIR)
    foreach(_source ${_sources})
      file(RELATIVE_PATH _source "${_source_dir}" "${_source}")
      string(PREPEND MQCLIENT_PC_LIBS "\${libdir}/objects-${CMAKE_BUILD_TYPE}/mqclient_mock_binding/${_source}.o ")
    endforeach()
  endif()
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/mqclient.pc.in" "${PROJECT_BINARY_DIR}/mqclient.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/mqclient.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/NOTICE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
