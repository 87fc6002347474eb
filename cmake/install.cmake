# What `cmake --install` puts into PREFIX: libraries and headers of rings 1 and 2, and what
# find_package(limbic) and pkg-config need to find them.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/limbic)
set(package ${PROJECT_BINARY_DIR}/package)

set(targets limbic_limbic)
set(libs "")
foreach(room ${rooms})
  list(APPEND targets limbic_${room})
  if(NOT room STREQUAL threads)  # a program's own decision: -llimbic_threads before them
    string(PREPEND libs "-llimbic_${room} ")  # who is linked comes behind who links it
  endif()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${room}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limbic FILES_MATCHING PATTERN "*.h"
    PATTERN keras EXCLUDE PATTERN hdf5 EXCLUDE)  # rooms of ring 3 within weights/
endforeach()
install(FILES ${LIMBIC_INCLUDE}/limbic/limbic.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limbic)
install(TARGETS ${targets} EXPORT limbic ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT limbic NAMESPACE limbic:: DESTINATION ${package_dir} FILE limbicTargets.cmake)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/limbicConfig.cmake.in
  ${package}/limbicConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${package}/limbicConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)  # before 1.0 a minor version may change anything
install(FILES ${package}/limbicConfig.cmake ${package}/limbicConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake DESTINATION ${package_dir})

# The archives name what they need by full path: these are where they were found.
set(needs "${LIMBIC_DNNL_LIBRARY} ${LIMBIC_HWY_LIBRARY}")
if(LIMBIC_RING GREATER 1)
  string(APPEND needs
    " ${LIMBIC_MD_LIBRARY} ${LIMBIC_JPEG_LIBRARY} ${LIMBIC_PNG_LIBRARY}"
    " ${LIMBIC_WEBPDEMUX_LIBRARY} ${LIMBIC_WEBP_LIBRARY} ${LIMBIC_GIF_LIBRARY} -lz -lpthread")
endif()
if(OpenMP_CXX_FOUND)
  string(APPEND needs " ${OpenMP_CXX_FLAGS}")
endif()
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/limbic.pc.in ${package}/limbic.pc @ONLY)
install(FILES ${package}/limbic.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
