// C[M, N] = A[M, K] * transposed B[N, K] in bf16 with f32 accumulation, for any M, N, K: 4 warps, 32x32 a block, 16x16
// a warp, K in steps of 32 through two stages of shared memory. Rows of A and B are `pitch` elements apart, a multiple
// of 8.
gpu.module @matmul_bf16 {
  // Two stages of 32 rows; 80 bytes a row keep ldmatrix free of bank conflicts.
  llvm.mlir.global internal @tile_a() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<5120 x i8>
  llvm.mlir.global internal @tile_b() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<5120 x i8>

  // Begins the copy of 8 elements of row `row` at column `k`; what lies outside becomes zero.
  llvm.func internal @copy_chunk(%target: !llvm.ptr<3>, %matrix: !llvm.ptr<1>, %row: i32, %rows: i32, %k: i32, %K: i32,
                                 %pitch: i32) attributes {always_inline} {
    %c0 = arith.constant 0 : i32
    %c2 = arith.constant 2 : i32
    %c16 = arith.constant 16 : i32
    %rowInside = arith.cmpi slt, %row, %rows : i32
    %left = arith.subi %K, %k : i32
    %leftBytes = arith.muli %left, %c2 : i32
    %upper = arith.minsi %leftBytes, %c16 : i32
    %inRow = arith.maxsi %upper, %c0 : i32
    %bytes = arith.select %rowInside, %inRow, %c0 : i32
    %hasAny = arith.cmpi sgt, %bytes, %c0 : i32
    %rowOffset = arith.muli %row, %pitch : i32
    %element = arith.addi %rowOffset, %k : i32
    %inside = arith.select %hasAny, %element, %c0 : i32
    %source = llvm.getelementptr %matrix[%inside] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, bf16
    nvvm.cp.async.shared.global %target, %source, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
    llvm.return
  }

  llvm.func internal @store_row(%C: !llvm.ptr<1>, %row: i32, %column: i32, %M: i32, %N: i32, %x: f32, %y: f32)
      attributes {always_inline} {
    %c1 = arith.constant 1 : i32
    %next = arith.addi %column, %c1 : i32
    %rowOffset = arith.muli %row, %N : i32
    %element = arith.addi %rowOffset, %column : i32
    %target = llvm.getelementptr %C[%element] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %rowInside = arith.cmpi slt, %row, %M : i32
    scf.if %rowInside {
      %firstInside = arith.cmpi slt, %column, %N : i32
      scf.if %firstInside {
        llvm.store %x, %target : f32, !llvm.ptr<1>
      }
      %secondInside = arith.cmpi slt, %next, %N : i32
      scf.if %secondInside {
        %second = llvm.getelementptr %target[1] : (!llvm.ptr<1>) -> !llvm.ptr<1>, f32
        llvm.store %y, %second : f32, !llvm.ptr<1>
      }
    }
    llvm.return
  }

  llvm.func @matmul(%A: !llvm.ptr<1>, %B: !llvm.ptr<1>, %C: !llvm.ptr<1>, %M: i32, %N: i32, %K: i32, %pitch: i32)
      attributes {gpu.kernel, nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c2 = arith.constant 2 : i32
    %c3 = arith.constant 3 : i32
    %c4 = arith.constant 4 : i32
    %c5 = arith.constant 5 : i32
    %c7 = arith.constant 7 : i32
    %c8 = arith.constant 8 : i32
    %c15 = arith.constant 15 : i32
    %c16 = arith.constant 16 : i32
    %c31 = arith.constant 31 : i32
    %c32 = arith.constant 32 : i32
    %rowBytes = arith.constant 80 : i32
    %stageBytes = arith.constant 2560 : i32
    %zero = arith.constant 0.0 : f32

    %tid = nvvm.read.ptx.sreg.tid.x : i32
    %blockN = nvvm.read.ptx.sreg.ctaid.x : i32
    %blockM = nvvm.read.ptx.sreg.ctaid.y : i32
    %firstRow = arith.muli %blockM, %c32 : i32
    %firstColumn = arith.muli %blockN, %c32 : i32
    %lane = arith.andi %tid, %c31 : i32
    %warp = arith.shrui %tid, %c5 : i32
    %warpM = arith.shrui %warp, %c1 : i32
    %warpN = arith.andi %warp, %c1 : i32

    // What this thread copies: row tid / 4, elements 8 * (tid % 4).
    %copyRow = arith.shrui %tid, %c2 : i32
    %copyChunk = arith.andi %tid, %c3 : i32
    %copyK = arith.muli %copyChunk, %c8 : i32
    %copyRowBytes = arith.muli %copyRow, %rowBytes : i32
    %copyChunkBytes = arith.muli %copyChunk, %c16 : i32
    %copyOffset = arith.addi %copyRowBytes, %copyChunkBytes : i32
    %rowA = arith.addi %firstRow, %copyRow : i32
    %rowB = arith.addi %firstColumn, %copyRow : i32
    %sharedA = llvm.mlir.addressof @tile_a : !llvm.ptr<3>
    %sharedB = llvm.mlir.addressof @tile_b : !llvm.ptr<3>
    %targetA = llvm.getelementptr %sharedA[%copyOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %targetB = llvm.getelementptr %sharedB[%copyOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8

    // Where this lane's row for ldmatrix begins. A: rows lane % 16, k half lane / 16. B: rows
    // lane % 8 + 8 * (lane / 16), k half (lane / 8) % 2.
    %laneRow = arith.andi %lane, %c15 : i32
    %laneHalf = arith.shrui %lane, %c4 : i32
    %tileRowA = arith.muli %warpM, %c16 : i32
    %fragmentRowA = arith.addi %tileRowA, %laneRow : i32
    %fragmentRowBytesA = arith.muli %fragmentRowA, %rowBytes : i32
    %fragmentHalfA = arith.muli %laneHalf, %c16 : i32
    %fragmentOffsetA = arith.addi %fragmentRowBytesA, %fragmentHalfA : i32
    %lane7 = arith.andi %lane, %c7 : i32
    %laneBlock = arith.muli %laneHalf, %c8 : i32
    %rowInWarpB = arith.addi %lane7, %laneBlock : i32
    %tileRowB = arith.muli %warpN, %c16 : i32
    %fragmentRowB = arith.addi %tileRowB, %rowInWarpB : i32
    %fragmentRowBytesB = arith.muli %fragmentRowB, %rowBytes : i32
    %laneEighth = arith.shrui %lane, %c3 : i32
    %laneHalfB = arith.andi %laneEighth, %c1 : i32
    %fragmentHalfB = arith.muli %laneHalfB, %c16 : i32
    %fragmentOffsetB = arith.addi %fragmentRowBytesB, %fragmentHalfB : i32
    %fragmentA = llvm.getelementptr %sharedA[%fragmentOffsetA] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %fragmentB = llvm.getelementptr %sharedB[%fragmentOffsetB] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8

    llvm.call @copy_chunk(%targetA, %A, %rowA, %M, %copyK, %K, %pitch)
      : (!llvm.ptr<3>, !llvm.ptr<1>, i32, i32, i32, i32, i32) -> ()
    llvm.call @copy_chunk(%targetB, %B, %rowB, %N, %copyK, %K, %pitch)
      : (!llvm.ptr<3>, !llvm.ptr<1>, i32, i32, i32, i32, i32) -> ()
    nvvm.cp.async.commit.group

    %sums:8 = scf.for %k = %c0 to %K step %c32 iter_args(%s0 = %zero, %s1 = %zero, %s2 = %zero, %s3 = %zero,
        %s4 = %zero, %s5 = %zero, %s6 = %zero, %s7 = %zero) -> (f32, f32, f32, f32, f32, f32, f32, f32) : i32 {
      %step = arith.shrui %k, %c5 : i32
      %stage = arith.andi %step, %c1 : i32
      %otherStage = arith.subi %c1, %stage : i32
      %stageOffset = arith.muli %stage, %stageBytes : i32
      %otherOffset = arith.muli %otherStage, %stageBytes : i32
      // The next step's copy runs while this step is computed. Past the end it writes zeros.
      %nextK = arith.addi %k, %c32 : i32
      %nextCopyK = arith.addi %nextK, %copyK : i32
      %nextA = llvm.getelementptr %targetA[%otherOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %nextB = llvm.getelementptr %targetB[%otherOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      llvm.call @copy_chunk(%nextA, %A, %rowA, %M, %nextCopyK, %K, %pitch)
        : (!llvm.ptr<3>, !llvm.ptr<1>, i32, i32, i32, i32, i32) -> ()
      llvm.call @copy_chunk(%nextB, %B, %rowB, %N, %nextCopyK, %K, %pitch)
        : (!llvm.ptr<3>, !llvm.ptr<1>, i32, i32, i32, i32, i32) -> ()
      nvvm.cp.async.commit.group
      nvvm.cp.async.wait.group 1
      nvvm.barrier
      %stageA = llvm.getelementptr %fragmentA[%stageOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %stageB = llvm.getelementptr %fragmentB[%stageOffset] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %t:8 = scf.for %half = %c0 to %c32 step %c16 iter_args(%r0 = %s0, %r1 = %s1, %r2 = %s2, %r3 = %s3, %r4 = %s4,
          %r5 = %s5, %r6 = %s6, %r7 = %s7) -> (f32, f32, f32, f32, f32, f32, f32, f32) : i32 {
        %halfBytes = arith.muli %half, %c2 : i32
        %addressA = llvm.getelementptr %stageA[%halfBytes] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
        %addressB = llvm.getelementptr %stageB[%halfBytes] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
        %a = nvvm.ldmatrix %addressA
          {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>,
           eltType = #nvvm.ld_st_matrix_elt_type<b16>}
          : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
        %b = nvvm.ldmatrix %addressB
          {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>,
           eltType = #nvvm.ld_st_matrix_elt_type<b16>}
          : (!llvm.ptr<3>) -> !llvm.struct<(i32, i32, i32, i32)>
        %a0 = llvm.extractvalue %a[0] : !llvm.struct<(i32, i32, i32, i32)>
        %a1 = llvm.extractvalue %a[1] : !llvm.struct<(i32, i32, i32, i32)>
        %a2 = llvm.extractvalue %a[2] : !llvm.struct<(i32, i32, i32, i32)>
        %a3 = llvm.extractvalue %a[3] : !llvm.struct<(i32, i32, i32, i32)>
        %b0 = llvm.extractvalue %b[0] : !llvm.struct<(i32, i32, i32, i32)>
        %b1 = llvm.extractvalue %b[1] : !llvm.struct<(i32, i32, i32, i32)>
        %b2 = llvm.extractvalue %b[2] : !llvm.struct<(i32, i32, i32, i32)>
        %b3 = llvm.extractvalue %b[3] : !llvm.struct<(i32, i32, i32, i32)>
        %left = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b0, %b1] C[%r0, %r1, %r2, %r3]
          {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
           multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>,
           shape = #nvvm.shape<m = 16, n = 8, k = 16>}
          : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
        %right = nvvm.mma.sync A[%a0, %a1, %a2, %a3] B[%b2, %b3] C[%r4, %r5, %r6, %r7]
          {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
           multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>,
           shape = #nvvm.shape<m = 16, n = 8, k = 16>}
          : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
        %d0 = llvm.extractvalue %left[0] : !llvm.struct<(f32, f32, f32, f32)>
        %d1 = llvm.extractvalue %left[1] : !llvm.struct<(f32, f32, f32, f32)>
        %d2 = llvm.extractvalue %left[2] : !llvm.struct<(f32, f32, f32, f32)>
        %d3 = llvm.extractvalue %left[3] : !llvm.struct<(f32, f32, f32, f32)>
        %d4 = llvm.extractvalue %right[0] : !llvm.struct<(f32, f32, f32, f32)>
        %d5 = llvm.extractvalue %right[1] : !llvm.struct<(f32, f32, f32, f32)>
        %d6 = llvm.extractvalue %right[2] : !llvm.struct<(f32, f32, f32, f32)>
        %d7 = llvm.extractvalue %right[3] : !llvm.struct<(f32, f32, f32, f32)>
        scf.yield %d0, %d1, %d2, %d3, %d4, %d5, %d6, %d7 : f32, f32, f32, f32, f32, f32, f32, f32
      }
      // Nobody may begin to overwrite this stage before all have read it.
      nvvm.barrier
      scf.yield %t#0, %t#1, %t#2, %t#3, %t#4, %t#5, %t#6, %t#7 : f32, f32, f32, f32, f32, f32, f32, f32
    }
    nvvm.cp.async.wait.group 0

    %laneGroup = arith.shrui %lane, %c2 : i32
    %lanePair = arith.andi %lane, %c3 : i32
    %pairColumn = arith.muli %lanePair, %c2 : i32
    %rowOfWarp = arith.addi %firstRow, %tileRowA : i32
    %upperRow = arith.addi %rowOfWarp, %laneGroup : i32
    %lowerRow = arith.addi %upperRow, %c8 : i32
    %columnOfWarp = arith.addi %firstColumn, %tileRowB : i32
    %leftColumn = arith.addi %columnOfWarp, %pairColumn : i32
    %rightColumn = arith.addi %leftColumn, %c8 : i32
    llvm.call @store_row(%C, %upperRow, %leftColumn, %M, %N, %sums#0, %sums#1)
      : (!llvm.ptr<1>, i32, i32, i32, i32, f32, f32) -> ()
    llvm.call @store_row(%C, %lowerRow, %leftColumn, %M, %N, %sums#2, %sums#3)
      : (!llvm.ptr<1>, i32, i32, i32, i32, f32, f32) -> ()
    llvm.call @store_row(%C, %upperRow, %rightColumn, %M, %N, %sums#4, %sums#5)
      : (!llvm.ptr<1>, i32, i32, i32, i32, f32, f32) -> ()
    llvm.call @store_row(%C, %lowerRow, %rightColumn, %M, %N, %sums#6, %sums#7)
      : (!llvm.ptr<1>, i32, i32, i32, i32, f32, f32) -> ()
    llvm.return
  }
}
