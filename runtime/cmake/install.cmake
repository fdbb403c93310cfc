# Installs libmoert with its headers, CMake package (moert::moert static, moert::shared) and pkg-config file.
include(CMakePackageConfigHelpers)

install(TARGETS moert moert_shared EXPORT moert-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/moert DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT runtime)

set(MOERT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/moert)
install(EXPORT moert-targets NAMESPACE moert:: DESTINATION ${MOERT_PACKAGE_DIR} COMPONENT runtime)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/moert-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/moert-config.cmake INSTALL_DESTINATION ${MOERT_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/moert-config-version.cmake
  COMPATIBILITY SameMinorVersion)
# The pkg-config file finds the prefix from where it lies, so that an installed tree can be moved.
file(RELATIVE_PATH MOERT_PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${CMAKE_CURRENT_LIST_DIR}/moert.pc.in ${CMAKE_CURRENT_BINARY_DIR}/moert.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moert-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/moert-config-version.cmake
  DESTINATION ${MOERT_PACKAGE_DIR} COMPONENT runtime)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moert.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)
