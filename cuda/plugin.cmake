# libnativegrad_cuda.so with the toolkit in NATIVEGRAD_CUDA_ROOT. nvcc is called by name and not as a CMake language: the
# toolkit of PyPI's wheels has no layout that CMake knows.
# Looked for each time: the cache would keep those of a former toolkit.
foreach(found nvcc cuda_include cudart)
  unset(${found} CACHE)
endforeach()
find_program(nvcc nvcc PATHS ${NATIVEGRAD_CUDA_ROOT}/bin NO_DEFAULT_PATH REQUIRED)
find_path(cuda_include cuda_runtime_api.h PATHS ${NATIVEGRAD_CUDA_ROOT}/include
          ${NATIVEGRAD_CUDA_ROOT}/targets/x86_64-linux/include NO_DEFAULT_PATH REQUIRED)
find_library(cudart NAMES libcudart_static.a PATHS ${NATIVEGRAD_CUDA_ROOT}/lib64 ${NATIVEGRAD_CUDA_ROOT}/lib
             ${NATIVEGRAD_CUDA_ROOT}/targets/x86_64-linux/lib NO_DEFAULT_PATH REQUIRED)

set(targets_of_nvcc)
set(newest "")
foreach(architecture ${NATIVEGRAD_CUDA_ARCHITECTURES})
  if(architecture STREQUAL "ptx")
    list(APPEND targets_of_nvcc -gencode=arch=compute_${newest},code=compute_${newest})
  else()
    list(APPEND targets_of_nvcc -gencode=arch=compute_${architecture},code=sm_${architecture})
    set(newest ${architecture})
  endif()
endforeach()
set(nvcc_options -std=c++17 -O3 ${targets_of_nvcc} -Xptxas=-v -Xfatbin=-compress-all -Werror=all-warnings -diag-suppress=177
    -Xcompiler=-fPIC,-fvisibility=hidden,-ffp-contract=off,-fno-math-errno,-Wall,-Wextra,-Wno-unused-function)
foreach(folder ${includes})
  list(APPEND nvcc_options -I${folder})
endforeach()
# A product and a sum are one rounding where the source says fma(), and nowhere else, as on the CPU and in the simulator: nvcc may
# choose in another way for the form of a kernel that several models share, or for another GPU.
list(APPEND nvcc_options -fmad=false)

# Objects of .cu files, into the variable `out`. What ptxas says of registers and spills lies beside each as .log.
function(compile_kernels out)
  set(objects)
  foreach(source ${ARGN})
    file(RELATIVE_PATH name ${here} ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/nvcc/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(
      OUTPUT ${object}
      COMMAND sh ${here}/nvcc.sh ${object}.log ${nvcc} ${nvcc_options} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
      DEPENDS ${source} ${here}/nvcc.sh
      DEPFILE ${object}.d
      COMMENT "nvcc ${name}"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE runtime_sources CONFIGURE_DEPENDS ${here}/*_cuda.cpp)
add_library(nativegrad_cuda_objects OBJECT ${common} ${runtime_sources})
target_include_directories(nativegrad_cuda_objects PRIVATE ${includes})
target_include_directories(nativegrad_cuda_objects SYSTEM PRIVATE ${cuda_include})
# A semicolon would end the definition.
string(REPLACE ";" "," architecture_words "${NATIVEGRAD_CUDA_ARCHITECTURES}")
target_compile_definitions(nativegrad_cuda_objects PRIVATE NATIVEGRAD_CUDA_ARCHITECTURES="${architecture_words}")
target_compile_options(nativegrad_cuda_objects PRIVATE ${host_options})

# What the runtime itself runs on the device.
file(GLOB runtime_kernels CONFIGURE_DEPENDS ${here}/runtime/*_cuda.cu)
compile_kernels(runtime_objects ${runtime_kernels})
compile_kernels(kernel_objects ${kernels})
add_library(nativegrad_cuda SHARED ${kernel_objects} ${runtime_objects} ${backend_sources}
            $<TARGET_OBJECTS:nativegrad_cuda_objects>)
# The simulator's kernels and tests that are right, on a GPU; `--probe` works without one.
set(gpu_tests correct products runtime tensor_core)
list(TRANSFORM gpu_tests PREPEND ${here}/sim/test/)
list(TRANSFORM gpu_tests APPEND .cu)
compile_kernels(test_objects ${gpu_tests})
add_executable(cuda_gpu_test ${here}/sim/test/main.cpp ${test_objects} ${runtime_objects} $<TARGET_OBJECTS:nativegrad_cuda_objects>)
foreach(target nativegrad_cuda cuda_gpu_test)
  set_up_plugin(${target})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  # The C++ library of the machine that builds is newer than those that it shall run on.
  target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  target_include_directories(${target} SYSTEM PRIVATE ${cuda_include})
  target_link_libraries(${target} PRIVATE ${cudart} rt)
endforeach()
