# The words a person types. CMake does the work.
#
#   make demo      install what is missing, build, run the whole pipeline, leave a report
#   make test      install what is missing, build, run all tests
#   make build     leaves build/limbic
#   make check-long  what takes too long for `make test`: thousands of random networks and histories,
#                    the same under sanitizers, kills, and `make conformance`
#   make reference  builds reference/ alone and trains its LeNet; CXX=clang++ or CXX=em++ (run by
#                  node) chooses another compiler
#   make lesson N=3  checks the exercises of lesson 3 of docs/course, with a compiler alone (CXX, as above);
#                  `make lesson-run N=3` runs its program, `make lesson-figure N=3` draws its figure
#   make walk-wasm  compiles the plain twins to WebAssembly for the pages of `limbic explain --walk`:
#                  walk/wasm/twins.wasm, which the repository keeps, and holds it against the library
#   make conformance  other people's tests: the onnx package's, and PyTorch beside random networks
#   make bench     Limbic beside other frameworks; ROWS="..." chooses (bench/peers/driver.py --list),
#                  ROWS=--short takes ten minutes
#   make static    leaves build-static/limbic, one file without dynamic libraries, and tests it
#   make static-inference  the same without training, smaller: build-static-inference/limbic
#   make wheel     the Python module, dist/limbic-*.whl (docs/python.md), of the library that `make
#                  static` left, which needs nothing installed, or else of build's; LIBRARY=... chooses
#   make check-python  installs that wheel into a fresh environment and tests it beside scikit-learn
#   make mpi       the program over several machines, build-mpi/limbic (docs/distributed.md); MPI=mpich
#                  takes MPICH in place of Open MPI: build-mpich/limbic
#   make aarch64   a static program for 64-bit ARM, built and tested on this machine by emulation
#   make check     clang, the whole link in one (duplicate definitions), rings, lessons, the tests under
#                  sanitizers, and a project that embeds Limbic: before a release (an hour)
#   make asan      the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make tsan      the tests under ThreadSanitizer
#   make clang     compile everything with clang, warnings as errors
#   make mutation  change the sources in one place at a time and see whether a test notices (hours);
#                  MUTATION="--count 40 --folders svm" asks for less
#   make format    clang-format over the sources
#   make odr       link everything at once: two classes of one name are an error
#   make install   program, libraries and headers to PREFIX (default /usr/local)
#   make clean     removes what was built, but not build-libraries (of `make static`), which takes long

PREFIX ?= /usr/local
SOURCES = $(shell git ls-files '*.cpp' '*.h')

.PHONY: demo test check odr configure check-long reference reference-compiler lesson \
  lesson-run lesson-figure walk-wasm conformance mutation build bench static \
  static-inference wheel check-python \
  mpi aarch64 asan tsan clang format install clean dependencies

demo: configure
	cmake --build --preset release --target limbic
	./build/limbic demo --out build/demo

test: build
	@scripts/run_tests.sh build

check-long: build
	@scripts/check_long.sh

# A compiler and the standard library, nothing else.
ifeq ($(origin CXX),default)
  CXX = g++
endif
REFERENCE = build-reference/$(notdir $(CXX))
LENET = $(REFERENCE)/lenet
ifneq ($(findstring em++,$(CXX)),)
  NODE = node
  LENET = $(REFERENCE)/lenet.js
  # Emscripten 3.1 would look for a file beside it with node 18's fetch, which reads no files.
  LENET_FLAGS = -sSINGLE_FILE
endif

reference: $(LENET)
	@$(NODE) ./$<

$(LENET): $(patsubst reference/%.cpp,$(REFERENCE)/%.o,$(wildcard reference/*.cpp))
	$(CXX) $(LENET_FLAGS) $^ -o $@

$(REFERENCE)/%.o: reference/%.cpp $(wildcard reference/*.h) | reference-compiler
	$(CXX) -std=c++20 -O2 -Wall -Wextra -Wshadow -Werror -c $< -o $@

reference-compiler:
	@for program in $(CXX) $(NODE); do \
	  command -v $$program >/dev/null && continue; \
	  case $$program in em++) package=emscripten ;; clang++) package=clang ;; node) package=nodejs ;; \
	    *) package=$$program ;; esac; \
	  echo "$$program: install Debian's $$package" >&2; exit 1; \
	done
	@mkdir -p $(REFERENCE)

lesson lesson-run lesson-figure:
	@CXX="$(CXX)" SOLUTION="$(SOLUTION)" docs/course/lesson.sh $@ "$(N)"

walk-wasm: build
	walk/wasm/build.sh
	scripts/check_wasm.sh

conformance: dependencies
	@scripts/install_dependencies.sh conformance
	cmake --preset release
	cmake --build --preset release --target conformance_driver
	@scripts/conformance.sh

configure: dependencies
	@scripts/build_libraries.sh httplib || echo "(all but \`limbic serve\` is built)"
	@cmake --preset release >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }
	@rm -f build.log

build: configure
	cmake --build --preset release

check: clang odr asan
	scripts/check_rings.py
	scripts/check_lessons.sh
	scripts/check_embedding.sh

odr: dependencies
	cmake --preset odr
	cmake --build --preset odr

bench: build
	@scripts/bench.sh $(ROWS)

static-inference: build
	@scripts/install_dependencies.sh static
	@scripts/build_libraries.sh inference
	cmake --preset static-inference
	cmake --build --preset static-inference --target limbic
	@scripts/check_static.sh inference

MPI ?= openmpi
MPI_BUILD = $(if $(filter mpich,$(MPI)),build-mpich,build-mpi)

mpi: dependencies
	@scripts/install_dependencies.sh $(MPI)
	@cmake -S . -B $(MPI_BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIMBIC_MPI=ON -DLIMBIC_TESTS=OFF \
	  -DMPI_CXX_COMPILER=mpicxx.$(MPI) -DMPIEXEC_EXECUTABLE=/usr/bin/mpiexec.$(MPI) >/dev/null
	cmake --build $(MPI_BUILD) --target limbic_over_mpi
	@ln -sfn mpi-bin/limbic $(MPI_BUILD)/limbic && echo "$(MPI_BUILD)/limbic: mpirun.$(MPI) -n 4 $(MPI_BUILD)/limbic train ..."

aarch64: build
	@scripts/check_aarch64.sh

static: build
	@scripts/install_dependencies.sh static
	@scripts/build_libraries.sh
	cmake --preset static
	cmake --build --preset static
	@scripts/run_tests.sh build-static
	@scripts/check_static.sh

LIBRARY ?= $(firstword $(wildcard build-static/liblimbic_c.so) build/liblimbic_c.so)

wheel: configure
	cmake --build --preset release --target limbic_c
	@python3 python/build_wheel.py $(LIBRARY)

check-python: wheel
	cmake --build --preset release --target limbic c_predict
	@LIMBIC_PROGRAM=$(abspath $(dir $(LIBRARY)))/limbic scripts/check_python.sh

asan: dependencies
	cmake --preset asan
	cmake --build --preset asan
	scripts/run_tests.sh build-asan

tsan: dependencies
	cmake --preset tsan
	cmake --build --preset tsan
	TSAN_OPTIONS="die_after_fork=0 allocator_may_return_null=1 suppressions=$(CURDIR)/tests/tsan.supp" scripts/run_tests.sh build-tsan

clang:
	scripts/install_dependencies.sh check
	cmake --preset clang
	cmake --build --preset clang

mutation: dependencies
	scripts/mutate.py $(MUTATION)

format:
	clang-format -i $(SOURCES)

install: build
	cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build build-asan build-tsan build-clang build-course build-fuzz build-reference build-static \
	  build-static-inference build-aarch64 build-mpi build-mpich build-mutation dist

dependencies:
	@scripts/install_dependencies.sh
