# limbic::threads, the room threads/: a program that links it keeps the threads of oneDNN's
# loops, too. Only where it calls no more of OpenMP than threads/openmp.cpp has.
file(READ threads/openmp.cpp entry_points)
set(unknown "")
set(dynamic -D)
if(LIMBIC_DNNL_LIBRARY MATCHES "\\.a$")
  set(dynamic "")
endif()
execute_process(COMMAND ${CMAKE_NM} ${dynamic} --undefined-only ${LIMBIC_DNNL_LIBRARY}
  OUTPUT_VARIABLE wanted RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  list(APPEND unknown "what ${CMAKE_NM} cannot say")
endif()
string(REGEX MATCHALL "U (GOMP|omp)_[a-z_]+" wanted "${wanted}")
list(TRANSFORM wanted REPLACE "^U " "")
foreach(name ${wanted})
  string(FIND "${entry_points}" " ${name}(" at)
  if(at EQUAL -1)
    list(APPEND unknown ${name})
  endif()
endforeach()
if(unknown)
  list(REMOVE_DUPLICATES unknown)
  message(STATUS "limbic::threads: OpenMP keeps its own threads, as oneDNN calls ${unknown}")
else()
  set(limbic_threads limbic::threads)  # for programs of our own
  limbic_room(threads ROOMS core)
  # A program shows them, so that oneDNN's shared library finds them before libgomp's.
  set_target_properties(limbic_threads PROPERTIES CXX_VISIBILITY_PRESET default)
  # An archive's member is taken only where it is asked for; libgomp comes behind it.
  target_link_options(limbic_threads INTERFACE LINKER:--undefined=GOMP_parallel)
endif()
