# Ring 4: what stands around the framework, each an option, in a folder of its own.

# The C interface: limbic::capi for programs that link everything, and for all others a shared
# library, which shows the names of limbic_c.h and nothing else.
option(LIMBIC_CAPI "Build the C interface, liblimbic_c.so" ON)
if(LIMBIC_CAPI)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/capi/limbic_c.h ${LIMBIC_INCLUDE}/limbic/limbic_c.h
    SYMBOLIC)
  limbic_room(capi ROOMS session LIBRARIES nlohmann_json::nlohmann_json
    EXCEPT capi/own_stderr.cpp)
  if(LIMBIC_KERAS)
    target_link_libraries(limbic_capi PRIVATE limbic_keras)
    set_source_files_properties(capi/handles.cpp PROPERTIES COMPILE_DEFINITIONS LIMBIC_KERAS)
  endif()
  add_library(limbic_c SHARED $<TARGET_OBJECTS:limbic_capi>)
  set(symbols ${PROJECT_SOURCE_DIR}/capi/limbic_c.map)
  target_link_libraries(limbic_c PRIVATE limbic_capi)
  if(LIMBIC_STATIC)  # needs the C library and nothing else
    target_sources(limbic_c PRIVATE capi/own_stderr.cpp)
    target_link_libraries(limbic_c PRIVATE ${limbic_threads})
    target_link_options(limbic_c PRIVATE -static-libstdc++ -static-libgcc -fopenmp)
  endif()
  target_link_options(limbic_c PRIVATE LINKER:--version-script=${symbols} LINKER:--no-undefined)
  set_target_properties(limbic_c PROPERTIES VERSION ${PROJECT_VERSION} LINKER_LANGUAGE CXX
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${symbols}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  if(LIMBIC_INSTALL)
    install(TARGETS limbic_c LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES capi/limbic_c.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limbic)
    configure_file(cmake/limbic_c.pc.in ${package}/limbic_c.pc @ONLY)
    install(FILES ${package}/limbic_c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endif()
endif()

# The methods that the paper's table 3 compares with.
option(LIMBIC_BASELINES "Build the seven baselines" ON)
if(LIMBIC_BASELINES)
  limbic_room(baselines ROOMS emotion)
endif()

# The paper's tables and figures, `limbic reproduce`.
if(LIMBIC_BASELINES AND LIMBIC_TRAINING)
  limbic_room(reproduce ROOMS baselines statistics cli)
endif()

# The server: over the C interface and cpp-httplib's one header, which Debian packs only as a shared
# library; scripts/build_libraries.sh unpacks its source.
find_path(LIMBIC_HTTPLIB_INCLUDE httplib.h HINTS ${PROJECT_SOURCE_DIR}/build-libraries/include
  NO_DEFAULT_PATH)
option(LIMBIC_SERVE "Build the server, `limbic serve`, where the C interface and httplib.h are" ON)
if(LIMBIC_SERVE AND NOT (LIMBIC_CAPI AND LIMBIC_HTTPLIB_INCLUDE))
  message(STATUS "no `limbic serve`: scripts/build_libraries.sh httplib fetches what it needs")
  set(LIMBIC_SERVE OFF)  # this time: once it is fetched, the next configuration finds it
endif()
if(LIMBIC_SERVE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS serve/page.html)
  file(READ serve/page.html page)
  file(CONFIGURE OUTPUT serve/page.inc CONTENT "R\"page(@page@)page\"" @ONLY)
  limbic_room(serve ROOMS capi cli)
  target_include_directories(limbic_serve PRIVATE ${PROJECT_BINARY_DIR}/serve)
  target_include_directories(limbic_serve SYSTEM PRIVATE ${LIMBIC_HTTPLIB_INCLUDE})
endif()

# The open network, `limbic explain --walk`. Its page's files, the plain twins in WebAssembly and the
# lines that it quotes of the sources are taken from the code by a program of the build.
add_executable(walk_embed walk/embed/embed.cpp)
target_link_libraries(walk_embed PRIVATE limbic_flags)
set(embedded walk/page/page.html walk/page/page.css walk/page/page.js walk/page/twins.js
  walk/wasm/twins.wasm walk/sources.txt)
file(STRINGS walk/sources.txt quotations REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS walk/sources.txt)
foreach(quotation ${quotations})
  string(REGEX REPLACE "^[^ ]+ [^ ]+ ([^ ]+) .*" "\\1" file ${quotation})
  list(APPEND embedded ${file})
endforeach()
list(REMOVE_DUPLICATES embedded)
list(TRANSFORM embedded PREPEND ${PROJECT_SOURCE_DIR}/)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/walk)
add_custom_command(OUTPUT walk/embedded.inc
  COMMAND walk_embed ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/walk/embedded.inc
  DEPENDS walk_embed ${embedded} VERBATIM)
add_custom_target(walk_embedded DEPENDS walk/embedded.inc)  # scripts/check_syntax.py
limbic_room(walk ROOMS train reference report LIBRARIES nlohmann_json::nlohmann_json ZLIB::ZLIB
  EXCEPT walk/embed walk/wasm)
add_dependencies(limbic_walk walk_embedded)
set_source_files_properties(walk/embedded.cpp PROPERTIES
  OBJECT_DEPENDS ${PROJECT_BINARY_DIR}/walk/embedded.inc)
target_include_directories(limbic_walk PRIVATE ${PROJECT_BINARY_DIR}/walk)

# `limbic explain`.
limbic_room(explain_verb FOLDERS explain/verb ROOMS explain walk cli
  LIBRARIES nlohmann_json::nlohmann_json CLI11::CLI11)

# The program; limbic::main is all of it but a main function, for programs with networks of their own.
limbic_room(program ROOMS cli session explain_verb EXCEPT program/main.cpp)
if(LIMBIC_SERVE)
  target_link_libraries(limbic_program PRIVATE limbic_serve)
  target_compile_definitions(limbic_program PRIVATE LIMBIC_SERVE)
endif()
if(TARGET limbic_reproduce)
  target_link_libraries(limbic_program PRIVATE limbic_reproduce)
  target_compile_definitions(limbic_program PRIVATE LIMBIC_REPRODUCE)
endif()
add_library(limbic_main INTERFACE)
target_link_libraries(limbic_main INTERFACE ${limbic_threads} limbic_program)
add_library(limbic::main ALIAS limbic_main)
add_executable(limbic program/main.cpp)
target_link_libraries(limbic PRIVATE limbic_flags limbic_main)
# Over several processes by MPI, a program of its own: mpi/communicator.cpp includes mpi.h, nothing
# else does. `make mpi` builds it with Open MPI's or MPICH's compiler wrapper.
option(LIMBIC_MPI "Build the program over MPI" OFF)
if(LIMBIC_MPI)
  find_package(MPI REQUIRED COMPONENTS CXX)
  limbic_room(mpi ROOMS train EXCEPT mpi/main.cpp)
  target_compile_definitions(limbic_mpi PRIVATE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
  target_link_libraries(limbic_mpi PRIVATE MPI::MPI_CXX)
  add_executable(limbic_over_mpi mpi/main.cpp)
  target_link_libraries(limbic_over_mpi PRIVATE limbic_flags limbic_mpi limbic_main)
  set_target_properties(limbic_over_mpi PROPERTIES OUTPUT_NAME limbic
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/mpi-bin)
  add_executable(train_steps EXCLUDE_FROM_ALL tests/mpi/train_steps.cpp)
  target_link_libraries(train_steps PRIVATE limbic_flags limbic_mpi ${limbic_threads})
endif()
set_target_properties(limbic PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
if(LIMBIC_INSTALL)
  install(TARGETS limbic RUNTIME)
endif()
