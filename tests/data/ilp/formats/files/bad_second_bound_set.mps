NAME  knapsack
ROWS
 N  profit
 L  weight
 G  least
 E  pair
COLUMNS
    mark  'MARKER'  'INTORG'
    a  profit  3  weight  2
    a  pair  1
    b  profit  2  weight  1
    b  pair  -1
    mark  'MARKER'  'INTEND'
    z  profit  0.5  least  1
RHS
    rhs  weight  3  least  0.25
BOUNDS
 UP bnd  z  4
 UP other  a  5
ENDATA
