NAME  knapsack
ROWS
 N  profit
 L  weight
 G  least
 E  pair
COLUMNS
ENDATA
