# Needs Boost.Context (Debian: libboost-context-dev), for this test build only.
find_path(boost_include boost/context/detail/fcontext.hpp REQUIRED)
find_library(boost_context boost_context REQUIRED)
file(GLOB sim_sources CONFIGURE_DEPENDS ${here}/sim/*.cpp)
file(GLOB sim_tests CONFIGURE_DEPENDS ${here}/sim/test/*.cu ${here}/sim/test/*.cpp)
set(sim_test_kernels ${sim_tests})
list(FILTER sim_test_kernels INCLUDE REGEX "\\.cu$")

# Kernels as C++. The instrumentation calls sim/access.cpp at each load and store; a build for AddressSanitizer has
# that instead. Line tables are for the errors' places.
set(kernel_options -x c++ -g1 -Wno-unknown-pragmas)
if(NATIVEGRAD_SANITIZE)
  set(sanitize -fsanitize=address -fno-omit-frame-pointer -g1)
  list(APPEND kernel_options ${sanitize})
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND kernel_options -fsanitize=thread --param=tsan-instrument-func-entry-exit=0)
else()
  list(APPEND kernel_options -fsanitize=thread)
endif()
set_source_files_properties(${kernels} ${sim_test_kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${kernel_options}")

add_compile_definitions(NATIVEGRAD_SIM=1)

# The table of ops needs the kernels, which the simulator's own tests do without.
add_library(nativegrad_cuda_sim_objects OBJECT ${common} ${sim_sources})
target_include_directories(nativegrad_cuda_sim_objects PRIVATE ${includes} ${boost_include})
target_compile_options(nativegrad_cuda_sim_objects PRIVATE ${host_options} ${sanitize})

add_library(nativegrad_cuda_sim SHARED ${kernels} ${backend_sources} $<TARGET_OBJECTS:nativegrad_cuda_sim_objects>)
add_executable(cuda_sim_test ${sim_tests} $<TARGET_OBJECTS:nativegrad_cuda_sim_objects>)
foreach(target nativegrad_cuda_sim cuda_sim_test)
  set_up_plugin(${target})
  target_compile_options(${target} PRIVATE ${sanitize})
  target_link_options(${target} PRIVATE ${sanitize})
  target_link_libraries(${target} PRIVATE ${boost_context})
endforeach()
