# Other people's libraries, each as one target limbic_deps::NAME. Read by Limbic's own build and, once
# it is installed, by find_package(limbic): LIMBIC_REQUIRED is REQUIRED, or empty where what is missing
# goes to LIMBIC_MISSING, so that a project can do without Limbic.
#
# Not dnnl's own CMake config: Debian 12's asks for OpenCL, which a CPU does not need.

# limbic_dependency(NAME LIBRARY HEADER [HINT])
function(limbic_dependency name library header)
  if(TARGET limbic_deps::${name})
    return()
  endif()
  string(TOUPPER ${name} upper)
  find_path(LIMBIC_${upper}_INCLUDE ${header} ${LIMBIC_REQUIRED}
    HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/${ARGN})
  set(missing ${LIMBIC_MISSING})
  if(NOT LIMBIC_${upper}_INCLUDE)
    list(APPEND missing ${header})
  endif()
  find_library(LIMBIC_${upper}_LIBRARY ${library} ${LIMBIC_REQUIRED}
    HINTS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/${ARGN})
  if(NOT LIMBIC_${upper}_LIBRARY)
    list(APPEND missing lib${library})
  endif()
  add_library(limbic_deps::${name} UNKNOWN IMPORTED)
  set_target_properties(limbic_deps::${name} PROPERTIES
    IMPORTED_LOCATION ${LIMBIC_${upper}_LIBRARY})
  # As a system header: what it makes a compiler warn of is not ours.
  set_target_properties(limbic_deps::${name} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${LIMBIC_${upper}_INCLUDE})
  set(LIMBIC_MISSING ${missing} PARENT_SCOPE)
endfunction()

limbic_dependency(dnnl dnnl oneapi/dnnl/dnnl.hpp)
limbic_dependency(hwy hwy hwy/highway.h)
if(LIMBIC_RING GREATER 1)
  limbic_dependency(md md sha2.h)
  limbic_dependency(jpeg jpeg jpeglib.h)
  limbic_dependency(png png png.h)
  limbic_dependency(webp webp webp/decode.h)
  limbic_dependency(webpdemux webpdemux webp/demux.h)
  limbic_dependency(gif gif gif_lib.h)
  foreach(package ZLIB Threads nlohmann_json)
    find_package(${package} ${LIMBIC_REQUIRED})
    if(NOT ${package}_FOUND)
      list(APPEND LIMBIC_MISSING ${package})
    endif()
  endforeach()
  # Archives want what they call behind them.
  target_link_libraries(limbic_deps::png INTERFACE ZLIB::ZLIB)
endif()
