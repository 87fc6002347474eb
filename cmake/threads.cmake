# limbic::threads, the room threads/: a program that links it keeps the threads of oneDNN's and
# OpenBLAS's loops, too. Only where these call no more of OpenMP than threads/openmp.cpp has.
file(READ threads/openmp.cpp entry_points)
set(unknown "")
foreach(library ${LIMBIC_DNNL_LIBRARY} ${LIMBIC_OPENBLAS_LIBRARY})
  set(dynamic -D)
  if(library MATCHES "\\.a$")
    set(dynamic "")
  endif()
  execute_process(COMMAND ${CMAKE_NM} ${dynamic} --undefined-only ${library}
    OUTPUT_VARIABLE wanted ERROR_QUIET)
  string(REGEX MATCHALL "U (GOMP|omp)_[a-z_]+" wanted "${wanted}")
  list(TRANSFORM wanted REPLACE "^U " "")
  foreach(name ${wanted})
    string(FIND "${entry_points}" " ${name}(" at)
    if(at EQUAL -1)
      list(APPEND unknown ${name})
    endif()
  endforeach()
endforeach()
if(unknown)
  list(REMOVE_DUPLICATES unknown)
  message(STATUS "limbic::threads: OpenMP keeps its own threads, as libraries call ${unknown}")
else()
  set(limbic_threads limbic::threads)  # for programs of our own
  limbic_room(threads ROOMS core)
  # An archive's member is taken only where it is asked for; libgomp comes behind it.
  target_link_options(limbic_threads INTERFACE LINKER:--undefined=GOMP_parallel)
endif()
